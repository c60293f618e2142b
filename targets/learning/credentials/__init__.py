"""What in a recorded request is a credential, and what stands in its place."""
