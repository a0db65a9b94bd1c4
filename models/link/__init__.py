"""The link between a host and a system: what travels over a serial line, and a system's answers as pure Python.

The host asks, the system answers, one request at a time. Requests and answers (`message`) travel in frames (`frame`)
that a receiver finds again after any disturbance; a damaged frame is as good as a lost one. The host asks again when no
answer comes; requests are numbered, so that one that arrives twice does no harm. `device` is the system as it should
be. On a bus there are `registers` for the same commands.
"""
