"""The API pressed with requests that are drawn from its schema."""
