"""All models of the app."""

from policy.models.owned import OwnedHost, ProofToken
from policy.models.panic import Panic
from policy.models.policies import InstallationLimits, Policy

__all__ = ["InstallationLimits", "OwnedHost", "Panic", "Policy", "ProofToken"]
