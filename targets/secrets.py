"""Those who store secrets beside targets find the sealing here."""

from sealing.secrets import SecretsError, reseal, row_label, seal, unseal

__all__ = ["SecretsError", "reseal", "row_label", "seal", "unseal"]
