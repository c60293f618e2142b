"""Files that go with messages: what scenarios give and targets send. Pure."""
