# syntax=docker/dockerfile:1

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
ARG COMMIT=
ARG DATE=
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false \
    -ldflags "-s -w -X main.version=${VERSION} -X main.commit=${COMMIT} -X main.date=${DATE}" \
    -o /out/graphproxy ./cmd/graphproxy

# No shell, no package manager, no libc: the binary, the roots that sign Microsoft's certificates, and a user that is not root.
# It writes nothing, so that the root file system may be read-only.
FROM scratch
ARG VERSION=devel
ARG COMMIT=
ARG DATE=
LABEL org.opencontainers.image.title="graphproxy" \
      org.opencontainers.image.description="An authenticating reverse proxy to Microsoft Graph" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.created="${DATE}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/graphproxy /graphproxy
USER 65532:65532
# In a container the loopback address is nobody's: callers come from outside. The admin listener stays reachable for probes.
ENV GRAPHPROXY_LISTEN=:8080 GRAPHPROXY_ADMIN_LISTEN=:8081 GRAPHPROXY_POLICY=/etc/graphproxy/policy.yaml
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=6s --start-period=5s CMD ["/graphproxy", "healthcheck"]
ENTRYPOINT ["/graphproxy"]
CMD ["serve"]
