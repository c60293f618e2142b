"""The pages: log-in, second factor, single sign-on."""
