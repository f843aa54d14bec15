"""The edge over libnghttp2: gRPC over HTTP/2 without gRPC's own Python server, at a fraction of its cost a call.

    binding        libnghttp2's functions through cffi; whether the library is there
    session        one connection's HTTP/2: bytes in, events out, frames in, bytes out; no socket, no gRPC
    callbacks      what libnghttp2 calls: the hot path
    grpc_framing   gRPC's rules about headers, messages and trailers, as pure functions
    headers        what requests' headers say, and what answers begin and end with
    stream         one call: its request as it arrives, its answer as it leaves
    connection     a socket, its session, and what keeps one client from hurting the others
    patience       how long a client is waited for
    dispatch       from a request to the pipeline, or to health and reflection, and back
    standard       health and reflection
    limits         every number, and the counters
    edge           the whole: listen, sweep, drain

Only this package knows cffi.
"""
