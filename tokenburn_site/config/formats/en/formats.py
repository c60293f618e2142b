"""The same moments as `metrics.number_format.moment`: "2026-11-21 08:00:00 UTC". Django reads these by name."""

DATE_FORMAT = SHORT_DATE_FORMAT = "Y-m-d"
TIME_FORMAT = "H:i:s"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "Y-m-d H:i:s T"
