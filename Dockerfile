# syntax=docker/dockerfile:1

# Built and run on the same Debian (12, bookworm), so that the C library fits.
FROM rust:1-slim-bookworm AS build
WORKDIR /src
# Line numbers for backtraces are four fifths of the binary; the names of functions stay.
ENV CARGO_PROFILE_RELEASE_DEBUG=false CARGO_PROFILE_RELEASE_STRIP=debuginfo

# The dependencies, with an empty program: this layer is made anew only when one of the two files changes.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
    && echo 'fn main() {}' >src/main.rs \
    && touch src/lib.rs \
    && cargo build --release --locked --bin posthaste

COPY posthaste.default.toml ./
COPY migrations migrations
COPY src src
# The files may be older than the empty ones above, and cargo goes by their age. An empty program would say no version.
RUN touch src/main.rs src/lib.rs \
    && cargo build --release --locked --bin posthaste \
    && test -n "$(target/release/posthaste --version)"

# The C library, the certificates of public authorities, and nothing else: no shell, no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=0.1.0
# docker build --build-arg REVISION="$(git rev-parse HEAD)" .
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Posthaste" \
    org.opencontainers.image.description="The outbound webhook delivery worker: events in, signed POSTs out, recorded and retried" \
    org.opencontainers.image.licenses="MIT OR Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
COPY LICENSE-APACHE LICENSE-MIT /licenses/
COPY --from=build /src/target/release/posthaste /usr/local/bin/posthaste
# A number, not a name: Kubernetes can tell from it that this is not root.
USER 65532:65532
EXPOSE 8000
# The program asks itself, since nothing else here could. Kubernetes does not look at this: it has probes.
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 CMD ["/usr/local/bin/posthaste", "ready"]
ENTRYPOINT ["/usr/local/bin/posthaste"]
