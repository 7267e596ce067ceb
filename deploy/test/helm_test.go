package deploy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	corev1 "k8s.io/api/core/v1"
)

// chartOf loads the chart, as helm install does.
func chartOf(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.Load(deployed("helm", "graphproxy"))
	must(t, err)
	must(t, c.Validate())
	return c
}

// render renders the chart with values in YAML over its own, which the schema checks.
func render(t *testing.T, values string) (map[string]string, error) {
	t.Helper()
	c := chartOf(t)
	given, err := chartutil.ReadValues([]byte(values))
	must(t, err)
	all, err := chartutil.ToRenderValues(c, given,
		chartutil.ReleaseOptions{Name: "graphproxy", Namespace: "graphproxy", IsInstall: true}, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.Render(c, all)
}

// helm renders the chart and decodes the result strictly.
func helm(t *testing.T, values string) *cluster {
	t.Helper()
	files, err := render(t, values)
	must(t, err)
	var manifests strings.Builder
	for name, text := range files {
		if strings.HasSuffix(name, ".yaml") {
			manifests.WriteString("\n---\n" + text)
		}
	}
	c, err := decode([]byte(manifests.String()))
	must(t, err)
	if len(c.Deployments) != 1 {
		t.Fatalf("the chart has %d Deployments", len(c.Deployments))
	}
	return c
}

// everything turns on every feature of the chart.
const everything = `
image: {digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}
imagePullSecrets: [registry]
azure: {tenantId: contoso.onmicrosoft.com, clientId: 11111111-1111-1111-1111-111111111111, cloud: usgov}
credential: {kind: certificate, secretName: graph, secretKey: app.pem}
serviceAccount: {name: proxy, annotations: {a: b}}
policy: |
  version: 1
  callers:
    everyone: {identity: [anyone], allow: [GET /users]}
policyFiles: {keys.json: "{}", text: "of\n\ntwo lines\n"}
publicUrl: https://graph.contoso.com
hosts: [graph.contoso.com]
maxInFlight: 200
maxConnections: 400
auditFailure: refuse
logLevel: debug
env: {GRAPHPROXY_TRUSTED_PROXIES: 10.0.0.0/8, OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318"}
tls: {secretName: tls, clientCAConfigMap: ca}
drainSeconds: 20
shutdownTimeoutSeconds: 60
redis: {secretName: redis, failure: deny}
autoscaling: {minReplicas: 3, maxReplicas: 9}
podDisruptionBudget: {maxUnavailable: 25%}
service: {type: LoadBalancer, port: 443, annotations: {a: b}}
networkPolicy:
  extraEgress: [{to: [{namespaceSelector: {matchLabels: {a: b}}}], ports: [{port: 4318, protocol: TCP}]}]
serviceMonitor: {enabled: true, interval: 30s, labels: {release: prometheus}}
podLabels: {team: identity}
podAnnotations: {a: b}
nodeSelector: {kubernetes.io/os: linux}
tolerations: [{key: a, operator: Exists}]
affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}}
priorityClassName: system-cluster-critical
`

func TestTheChartIsWhatTheBaseIs(t *testing.T) {
	t.Parallel()
	rendered, base := helm(t, ""), kustomized(t, "base")
	checkWiring(t, rendered)
	d, want := rendered.Deployments[0], base.Deployments[0]
	container, wanted := graphproxyContainer(t, d), graphproxyContainer(t, want)
	checkRestricted(t, d)
	checkProbes(t, container)
	checkStop(t, d, 10*time.Second)
	checkMemory(t, container)
	if got := variable(container, "GRAPHPROXY_MAX_CONNECTIONS"); got != "2500" {
		t.Errorf("GRAPHPROXY_MAX_CONNECTIONS is %q", got)
	}
	checkEgress(t, rendered.NetworkPolicy[0], false)
	same := func(what string, got, want any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s differs between the base (-) and the chart (+):\n%s", what, diff)
		}
	}
	same("the pod's security context", d.Spec.Template.Spec.SecurityContext, want.Spec.Template.Spec.SecurityContext)
	same("the container's security context", container.SecurityContext, wanted.SecurityContext)
	for _, name := range []string{"GRAPHPROXY_LISTEN", "GRAPHPROXY_ADMIN_LISTEN", "GRAPHPROXY_POLICY", "GRAPHPROXY_HOSTS",
		"GRAPHPROXY_DRAIN", "GRAPHPROXY_SHUTDOWN_TIMEOUT", "GRAPHPROXY_MAX_CONNECTIONS"} {
		same(name, variable(container, name), variable(wanted, name))
	}
	same("the image", container.Image, wanted.Image)
	same("the startup probe", container.StartupProbe, wanted.StartupProbe)
	same("the liveness probe", container.LivenessProbe, wanted.LivenessProbe)
	same("the readiness probe", container.ReadinessProbe, wanted.ReadinessProbe)
	same("the resources", container.Resources.String(), wanted.Resources.String())
	same("the time to stop", d.Spec.Template.Spec.TerminationGracePeriodSeconds,
		want.Spec.Template.Spec.TerminationGracePeriodSeconds)
	same("the strategy", d.Spec.Strategy, want.Spec.Strategy)
	same("the autoscaler", rendered.Autoscalers[0].Spec, base.Autoscalers[0].Spec)
	same("the disruption budget", rendered.Budgets[0].Spec.MaxUnavailable, base.Budgets[0].Spec.MaxUnavailable)
	same("what the network policy lets out", rendered.NetworkPolicy[0].Spec.Egress, base.NetworkPolicy[0].Spec.Egress)
	same("what the network policy lets in", rendered.NetworkPolicy[0].Spec.Ingress, base.NetworkPolicy[0].Spec.Ingress)
	same("the workload identity", rendered.Accounts[0].Annotations, base.Accounts[0].Annotations)
	same("the policy", rendered.ConfigMaps[0].Data, base.ConfigMaps[0].Data)
}

func TestTheChartWithEveryFeatureOn(t *testing.T) {
	t.Parallel()
	c := helm(t, everything)
	d := c.Deployments[0]
	container := graphproxyContainer(t, d)
	checkRestricted(t, d)
	checkProbes(t, container)
	checkStop(t, d, 20*time.Second)
	for name, want := range map[string]string{
		"AZURE_TENANT_ID":               "contoso.onmicrosoft.com",
		"AZURE_CLIENT_ID":               "11111111-1111-1111-1111-111111111111",
		"AZURE_CLIENT_CERTIFICATE_PATH": "/var/run/secrets/graphproxy/app.pem",
		"GRAPHPROXY_CLOUD":              "usgov",
		"GRAPHPROXY_AUDIT_FAILURE":      "refuse",
		"GRAPHPROXY_PUBLIC_URL":         "https://graph.contoso.com",
		"GRAPHPROXY_REDIS_FAILURE":      "deny",
		"GRAPHPROXY_REDIS_REPLICAS":     "3",
		"GRAPHPROXY_TLS_CLIENT_CA_FILE": "/var/run/graphproxy/client-ca/ca.crt",
		"GRAPHPROXY_TRUSTED_PROXIES":    "10.0.0.0/8",
		"OTEL_EXPORTER_OTLP_ENDPOINT":   "http://collector:4318",
		"AZURE_CLIENT_SECRET_FILE":      "",
	} {
		if got := variable(container, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if !strings.HasSuffix(container.Image, "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef") {
		t.Errorf("the image is %s", container.Image)
	}
	for _, m := range container.VolumeMounts {
		if !m.ReadOnly {
			t.Errorf("%s can be written to", m.MountPath)
		}
	}
	if d.Spec.Template.Labels["azure.workload.identity/use"] != "" {
		t.Error("the pods have a workload identity besides the certificate")
	}
	if got := c.ConfigMaps[0].Data["text"]; got != "of\n\ntwo lines\n" {
		t.Errorf("a file beside the policy is %q", got)
	}
	if len(c.Monitors) != 1 || c.Monitors[0].Labels["release"] != "prometheus" {
		t.Errorf("the ServiceMonitor is %+v", c.Monitors)
	}
	if n := len(c.NetworkPolicy[0].Spec.Egress); n != 4 { // DNS, Microsoft, Redis, the collector
		t.Errorf("the network policy has %d ways out", n)
	}
}

func TestTheChartWithFewFeatures(t *testing.T) {
	t.Parallel()
	c := helm(t, `
autoscaling: {enabled: false}
podDisruptionBudget: {enabled: false}
networkPolicy: {enabled: false}
serviceAccount: {create: false, name: there-already}
existingPolicyConfigMap: of-the-security-team
credential: {kind: secret, secretName: graph}
replicas: 1
drainSeconds: 0
`)
	if len(c.Autoscalers)+len(c.Budgets)+len(c.NetworkPolicy)+len(c.Accounts)+len(c.ConfigMaps)+len(c.Monitors) != 0 {
		t.Errorf("more than was asked for: %+v", c)
	}
	d := c.Deployments[0]
	if *d.Spec.Replicas != 1 || d.Spec.Template.Spec.ServiceAccountName != "there-already" {
		t.Errorf("%+v", d.Spec)
	}
	if got := variable(graphproxyContainer(t, d),
		"AZURE_CLIENT_SECRET_FILE"); got != "/var/run/secrets/graphproxy/client-secret" {
		t.Errorf("AZURE_CLIENT_SECRET_FILE is %q", got)
	}
	named := func(v corev1.Volume) string { return v.Name }
	if got := named(d.Spec.Template.Spec.Volumes[0]); got != "policy" ||
		d.Spec.Template.Spec.Volumes[0].ConfigMap.Name != "of-the-security-team" {
		t.Errorf("%+v", d.Spec.Template.Spec.Volumes)
	}
}

// A managed identity needs no Secret, and two releases in one namespace do not share names.
func TestTheChartWithAManagedIdentityUnderAnotherName(t *testing.T) {
	t.Parallel()
	c := helm(t, "credential: {kind: managedIdentity}\nfullnameOverride: hr-proxy\n")
	container := graphproxyContainer(t, c.Deployments[0])
	if variable(container, "GRAPHPROXY_MANAGED_IDENTITY") != "true" || variable(container, "AZURE_CLIENT_ID") == "" ||
		len(c.Deployments[0].Spec.Template.Spec.Volumes) != 1 {
		t.Errorf("%+v", container.Env)
	}
	if !strings.HasPrefix(variable(container, "GRAPHPROXY_HOSTS"), "hr-proxy,hr-proxy.graphproxy,") {
		t.Errorf("GRAPHPROXY_HOSTS is %q", variable(container, "GRAPHPROXY_HOSTS"))
	}
	for _, s := range c.Services {
		if !strings.HasPrefix(s.Name, "hr-proxy") {
			t.Errorf("a Service is called %s", s.Name)
		}
	}
}

// The message of a refusal names the value, so that a person finds it.
func TestTheSchemaOfTheValuesRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, values, want string }{
		{"a name that there is not", "polcy: x", "polcy"},
		{"a name that there is not, further in", "image: {tagg: x}", "tagg"},
		{"no policy at all", `policy: ""`, "policy"},
		{"a number as text", `maxInFlight: "many"`, "maxInFlight"},
		{"no requests at all", "maxInFlight: 0", "maxInFlight"},
		{"no connections at all", "maxConnections: 0", "maxConnections"},
		{"a negative drain", "drainSeconds: -1", "drainSeconds"},
		{"a mode that there is not", "auditFailure: ignore", "auditFailure"},
		{"a cloud that there is not", "azure: {cloud: germany}", "cloud"},
		{"a credential that there is not", "credential: {kind: password}", "kind"},
		{"a secret that is not named", "credential: {kind: secret}", "secretName"},
		{"a certificate that is not named", "credential: {kind: certificate, secretKey: a}", "secretName"},
		{"client CAs without TLS", "tls: {clientCAConfigMap: ca}", "secretName"},
		{"a public address with a path", "publicUrl: https://graph.contoso.com/graph", "publicUrl"},
		{"a variable of nobody's", "env: {FOO: bar}", "FOO"},
		{"a variable that the chart sets", `env: {GRAPHPROXY_POLICY: /tmp/other.yaml}`, "/env/GRAPHPROXY_POLICY"},
		{"a secret in the open", `env: {AZURE_CLIENT_SECRET: hunter2}`, "/env/AZURE_CLIENT_SECRET"},
		{"the policy once more", `policyFiles: {policy.yaml: "version: 1"}`, "/policyFiles/policy.yaml"},
		{"a path out of the folder", `policyFiles: {../x: y}`, "policyFiles"},
		{"an address that is no network", "networkPolicy: {microsoft: [graph.microsoft.com]}", "microsoft"},
		{"no address at all", "networkPolicy: {microsoft: []}", "microsoft"},
		{"callers from everywhere", "networkPolicy: {callerNamespaceLabels: null}", "callerNamespaceLabels"},
		{"a digest that is none", "image: {digest: latest}", "digest"},
		{"a tag in the repository", "image: {repository: \"graphproxy:1\"}", "repository"},
		{"a memory limit that is none", "resources: {limits: {memory: lots}}", "memory"},
		{"more at least than at most", "autoscaling: {minReplicas: 7}", "minReplicas"},
		{"a key of a host with a port", "hosts: [\"a/b\"]", "hosts"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := render(t, test.values)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%q: %v, want an error that names %s", test.values, err, test.want)
			}
		})
	}
}

func TestHelmLintsTheChart(t *testing.T) {
	t.Parallel()
	linted := lint.All(deployed("helm", "graphproxy"), nil, "graphproxy", true)
	for _, m := range linted.Messages {
		if m.Severity > support.InfoSev {
			t.Error(m)
		}
	}
}
