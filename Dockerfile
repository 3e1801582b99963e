# The command and the library, built on Debian 12.
#
#   docker build -t p2e .                                 small: libp2e.so and p2e, no compiler
#   docker build -t p2e-compiler --target compiler .      with clang and protoc, to compile rules there
#
# Application containers need nothing but /usr/lib/libp2e.so out of the first; those of Alpine, or what else
# is linked with musl, /usr/lib/p2e/musl/libp2e.so.

FROM docker.io/library/debian:bookworm-slim AS build
COPY deps.sh /src/
RUN /src/deps.sh musl
COPY . /src
RUN make -C /src all musl \
    && strip --strip-unneeded /src/build/libp2e.so /src/build/musl/libp2e.so /src/build/p2e

FROM docker.io/library/debian:bookworm-slim AS runtime
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends libbpf1 libprotobuf-c1 libconfig9 libmd0 \
        libmicrohttpd12 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY --from=build /src/build/p2e /usr/bin/p2e
COPY --from=build /src/build/libp2e.so /usr/lib/libp2e.so
COPY --from=build /src/build/musl/libp2e.so /usr/lib/p2e/musl/libp2e.so
COPY config/p2e.conf.sample /etc/p2e/p2e.conf.sample
ENTRYPOINT ["p2e"]

FROM runtime AS compiler
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends clang llvm protobuf-compiler \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*

FROM runtime
