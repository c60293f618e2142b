"""The load: profile, users, scenario mix, pace and shares. Pure; used by admin, API, command line and engine."""
