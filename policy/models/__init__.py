"""All models of the app."""

from policy.models.panic import Panic
from policy.models.policies import InstallationLimits, Policy

__all__ = ["InstallationLimits", "Panic", "Policy"]
