"""From the bytes of a ledger to rows and one-second windows. Pure: no I/O, no Django."""
