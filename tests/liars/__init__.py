"""Chatbots that misbehave in what they mean, and honest ones that are odd: what a run may say of them."""
