"""What an attacker would send, and secrets to look for afterwards."""
