FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release --package millrace --features cloud-objects --bin millrace \
    && cp target/release/millrace /millrace

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends bubblewrap ca-certificates git util-linux \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --create-home --home-dir /var/lib/millrace millrace
COPY --from=build /millrace /usr/local/bin/millrace
USER millrace
WORKDIR /var/lib/millrace
VOLUME /var/lib/millrace
EXPOSE 8420 9464
ENTRYPOINT ["millrace"]
CMD ["serve", "--roles", "api,relay,projector,dispatcher,worker"]
