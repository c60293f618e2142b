"""People: API tokens, second factors, single sign-on, and how long a log-in lasts."""
