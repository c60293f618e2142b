"""What Token-Burn is made of: its packages, their licences, and the advisories about them."""
