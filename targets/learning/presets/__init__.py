"""Which preset speaks as a recorded exchange does, and what of the exchange are its params."""
