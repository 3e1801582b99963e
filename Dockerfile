# The command and the library, built on Debian 12.
#
#   docker build -t p2e .                                 small: libp2e.so and p2e, no compiler
#   docker build -t p2e-compiler --target compiler .      with clang and protoc, to compile rules there
#
# Application containers need nothing but /usr/lib/libp2e.so out of the first; those of Alpine, or what else
# is linked with musl, /usr/lib/p2e/musl/libp2e.so.

# ---- What the command needs: to run, and to compile rules -----------------------------------------
FROM docker.io/library/debian:bookworm-slim AS small
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends libbpf1 libprotobuf-c1 libconfig9 libmd0 \
        libmicrohttpd12 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
ENTRYPOINT [ "p2e" ]

FROM small AS large
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends clang llvm protobuf-compiler \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*

# ---- The build, where clang is installed already --------------------------------------------------
FROM large AS build
COPY deps.sh /src/
RUN /src/deps.sh musl
COPY . /src
RUN make -j"$(nproc)" -C /src all musl \
    && strip --strip-unneeded /src/build/libp2e.so /src/build/musl/libp2e.so /src/build/p2e \
    && install -D -m 0755 /src/build/p2e /image/usr/bin/p2e \
    && install -D -m 0644 /src/build/libp2e.so /image/usr/lib/libp2e.so \
    && install -D -m 0644 /src/build/musl/libp2e.so /image/usr/lib/p2e/musl/libp2e.so \
    && install -D -m 0644 /src/config/p2e.conf.sample /image/etc/p2e/p2e.conf.sample

# ---- The images ------------------------------------------------------------------------------------
FROM large AS compiler
COPY --from=build /image /

FROM small AS runtime
COPY --from=build /image /
