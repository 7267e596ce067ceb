# syntax=docker/dockerfile:1

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/graphproxy ./cmd/graphproxy

# No shell, no package manager, no libc: the binary, the roots that sign Microsoft's certificates, and a user that is not root.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/graphproxy /graphproxy
USER 65532:65532
# In a container the loopback address is nobody's: callers come from outside. The admin listener stays reachable for probes.
ENV GRAPHPROXY_LISTEN=:8080 GRAPHPROXY_ADMIN_LISTEN=:8081 GRAPHPROXY_POLICY=/etc/graphproxy/policy.yaml
EXPOSE 8080 8081
ENTRYPOINT ["/graphproxy"]
CMD ["serve"]
