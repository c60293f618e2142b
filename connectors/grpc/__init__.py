"""gRPC code shared by both lanes, without I/O except for the compiler of a `.proto` text.

A method is found once a process and target: from the descriptors that the server itself gives (`reflection`), or from
the target's own text (`proto`). `methods` and `messages` turn JSON into its messages and back, `status` says what a
call's end means, `channel` how a connection is made. gRPC's core carries the bytes on threads of its own.
"""
