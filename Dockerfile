# syntax=docker/dockerfile:1
FROM rust:1-slim-bookworm AS build
WORKDIR /src
COPY . .
# Line numbers for backtraces are four fifths of the binary; the names of functions stay.
ENV CARGO_PROFILE_RELEASE_DEBUG=false CARGO_PROFILE_RELEASE_STRIP=debuginfo
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin posthaste \
    && cp target/release/posthaste /posthaste

FROM debian:bookworm-slim
# The roots that receivers' certificates are checked against.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /posthaste /usr/local/bin/posthaste
# A number, not a name: Kubernetes can tell from it that this is not root.
USER 65532:65532
EXPOSE 8000
ENTRYPOINT ["posthaste"]
