"""The pages: log-in, password, second factor, single sign-on."""
