package deploy_test

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// graphproxyContainer is the container of graphproxy in a Deployment, a sidecar or not.
func graphproxyContainer(t *testing.T, d *appsv1.Deployment) *corev1.Container {
	t.Helper()
	pod := &d.Spec.Template.Spec
	for _, list := range [][]corev1.Container{pod.InitContainers, pod.Containers} {
		for i := range list {
			if list[i].Name == "graphproxy" {
				return &list[i]
			}
		}
	}
	t.Fatalf("Deployment %s has no container graphproxy", d.Name)
	return nil
}

// variable is the value of an environment variable of a container.
func variable(c *corev1.Container, name string) string {
	for _, e := range c.Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

// checkRestricted checks a pod against the profile "restricted" of the Pod Security Standards, and a little more
func checkRestricted(t *testing.T, d *appsv1.Deployment) {
	t.Helper()
	pod := &d.Spec.Template.Spec
	if s := pod.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil ||
		s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("the pod's security context is %+v", s)
	}
	if pod.HostNetwork || pod.HostPID || pod.HostIPC {
		t.Error("the pod shares a namespace of the host")
	}
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		t.Error("the pod gets a token for the cluster's API, which it does not need")
	}
	for _, v := range pod.Volumes {
		if v.HostPath != nil {
			t.Errorf("volume %s is a path of the host", v.Name)
		}
	}
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		s := c.SecurityContext
		if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.ReadOnlyRootFilesystem == nil ||
			!*s.ReadOnlyRootFilesystem ||
			s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) ||
			len(s.Capabilities.Add) > 0 || s.Privileged != nil {
			t.Errorf("the security context of %s is %+v", c.Name, s)
		}
		user := pod.SecurityContext.RunAsUser
		if s != nil && s.RunAsUser != nil {
			user = s.RunAsUser
		}
		if user == nil || *user == 0 {
			t.Errorf("%s runs as user %v", c.Name, user)
		}
	}
}

// checkProbes checks that the probes use the admin port, and that a slow start is not taken for a hang.
func checkProbes(t *testing.T, c *corev1.Container) {
	t.Helper()
	at := func(what string, p *corev1.Probe, path string) {
		t.Helper()
		if p == nil || p.HTTPGet == nil || p.HTTPGet.Path != path || p.HTTPGet.Port.String() != "admin" {
			t.Errorf("the %s probe is %+v", what, p)
		}
	}
	at("startup", c.StartupProbe, "/healthz")
	at("liveness", c.LivenessProbe, "/healthz")
	if c.RestartPolicy == nil { // no sidecar
		at("readiness", c.ReadinessProbe, "/readyz")
	}
	ports := map[string]int32{}
	for _, p := range c.Ports {
		ports[p.Name] = p.ContainerPort
	}
	if want := ":" + strconv.Itoa(int(ports["admin"])); variable(c, "GRAPHPROXY_ADMIN_LISTEN") != want {
		t.Errorf("GRAPHPROXY_ADMIN_LISTEN is %q, the port admin %q", variable(c, "GRAPHPROXY_ADMIN_LISTEN"), want)
	}
	if port, ok := ports["http"]; ok && variable(c, "GRAPHPROXY_LISTEN") != ":"+strconv.Itoa(int(port)) {
		t.Errorf("GRAPHPROXY_LISTEN is %q, the port http %d", variable(c, "GRAPHPROXY_LISTEN"), port)
	}
}

// checkStop checks that the kubelet waits for the drain and the shutdown, and that the drain is longer than the
// readiness probe takes.
func checkStop(t *testing.T, d *appsv1.Deployment, drain time.Duration) {
	t.Helper()
	c := graphproxyContainer(t, d)
	seconds := func(name string) time.Duration {
		v := variable(c, name)
		if v == "" {
			return 0
		}
		got, err := time.ParseDuration(v)
		must(t, err)
		return got
	}
	if got := seconds("GRAPHPROXY_DRAIN"); got != drain {
		t.Errorf("GRAPHPROXY_DRAIN is %s, want %s", got, drain)
	}
	grace := time.Duration(*d.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second
	if needed := seconds("GRAPHPROXY_DRAIN") + seconds("GRAPHPROXY_SHUTDOWN_TIMEOUT"); needed >= grace {
		t.Errorf("graphproxy may take %s to stop, and is killed after %s", needed, grace)
	}
	if p := c.ReadinessProbe; p != nil {
		notice := time.Duration(p.FailureThreshold*(p.PeriodSeconds+p.TimeoutSeconds)) * time.Second
		if notice >= drain {
			t.Errorf("it takes %s to notice that the pod is not ready, and the drain is %s", notice, drain)
		}
	}
}

// checkMemory checks that the memory limit is the one that docs/operations.md (Sizing) gives for the requests in
// flight, and for the connections that are idle besides.
func checkMemory(t *testing.T, c *corev1.Container) {
	t.Helper()
	inFlight := int64(1000)
	if v := variable(c, "GRAPHPROXY_MAX_IN_FLIGHT"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		must(t, err)
		inFlight = n
	}
	held := max(inFlight*256<<10, 128<<20)
	needed := held*3/2 + 64<<20
	if v := variable(c, "GRAPHPROXY_MAX_CONNECTIONS"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		must(t, err)
		needed += max(0, n-inFlight) * 48 << 10
	}
	if limit := c.Resources.Limits.Memory(); limit.Value() < needed {
		t.Errorf("the memory limit is %s, and %d requests in flight and idle connections may need %d MiB", limit, inFlight,
			needed>>20)
	}
	if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() {
		t.Errorf("%s requests %v", c.Name, c.Resources.Requests)
	}
	if variable(c, "GOMEMLIMIT") != "" {
		t.Error("GOMEMLIMIT is set, and does not follow the memory limit")
	}
}

// checkEgress checks that a network policy allows DNS, HTTPS to Microsoft, and Redis or not, and nothing else.
func checkEgress(t *testing.T, p *networkingv1.NetworkPolicy, redis bool) {
	t.Helper()
	if !slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress) ||
		!slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeIngress) {
		t.Errorf("the policy is for %v", p.Spec.PolicyTypes)
	}
	found := map[string]bool{}
	for _, rule := range p.Spec.Egress {
		if len(rule.To) == 0 || len(rule.Ports) == 0 {
			t.Fatalf("a rule lets everything out: %+v", rule)
		}
		port := rule.Ports[0].Port.IntValue()
		for _, to := range rule.To {
			switch {
			case to.IPBlock != nil && port == 443:
				found["microsoft"] = true
				checkMicrosoft(t, to.IPBlock.CIDR)
			case port == 53 && to.PodSelector != nil && to.NamespaceSelector != nil:
				found["dns"] = true
				if of := to.PodSelector.MatchLabels; len(of) != 1 || of["k8s-app"] != "kube-dns" {
					t.Errorf("names are asked of the pods %v", of)
				}
			case port == 6379 && to.NamespaceSelector != nil && len(to.NamespaceSelector.MatchLabels) > 0:
				found["redis"] = true
			default:
				t.Errorf("the policy lets out to %+v, port %d", to, port)
			}
		}
	}
	if !found["microsoft"] || !found["dns"] || found["redis"] != redis {
		t.Errorf("the policy lets out to %v", found)
	}
	for _, rule := range p.Spec.Ingress {
		if len(rule.From) == 0 || len(rule.Ports) == 0 {
			t.Errorf("the policy lets everything in: %+v", rule)
		}
	}
}

func checkMicrosoft(t *testing.T, cidr string) {
	t.Helper()
	prefix, err := netip.ParsePrefix(cidr)
	must(t, err)
	narrow := prefix.Bits() >= 16 && prefix.Addr().Is4() || prefix.Bits() >= 32 && prefix.Addr().Is6()
	if prefix.Masked() != prefix || !narrow || prefix.Addr().IsPrivate() || prefix.Addr().IsLinkLocalUnicast() ||
		prefix.Addr().IsLoopback() {
		t.Errorf("%s is no network of Microsoft's", cidr)
	}
}

// checkWiring checks that selectors find the pods, that mounted volumes exist, and that the image has a version.
func checkWiring(t *testing.T, c *cluster) {
	t.Helper()
	for _, d := range c.Deployments {
		pod := labels.Set(d.Spec.Template.Labels)
		finds := func(what string, selector map[string]string) {
			t.Helper()
			if len(selector) == 0 || !labels.SelectorFromSet(selector).Matches(pod) {
				t.Errorf("%s selects %v, the pods have %v", what, selector, pod)
			}
		}
		finds("Deployment", d.Spec.Selector.MatchLabels)
		for _, s := range c.Services {
			finds("Service "+s.Name, s.Spec.Selector)
		}
		for _, b := range c.Budgets {
			finds("PodDisruptionBudget", b.Spec.Selector.MatchLabels)
		}
		for _, p := range c.NetworkPolicy {
			finds("NetworkPolicy", p.Spec.PodSelector.MatchLabels)
		}
		for _, a := range c.Autoscalers {
			if a.Spec.ScaleTargetRef.Name != d.Name || a.Spec.MinReplicas == nil || *a.Spec.MinReplicas < 2 ||
				d.Spec.Replicas != nil {
				t.Errorf("the autoscaler is %+v, replicas %v", a.Spec, d.Spec.Replicas)
			}
		}
		for _, container := range slices.Concat(d.Spec.Template.Spec.InitContainers, d.Spec.Template.Spec.Containers) {
			if _, version, ok := strings.Cut(container.Image, ":"); !ok || version == "latest" {
				t.Errorf("the image %s is no version", container.Image)
			}
		}
		for _, v := range d.Spec.Template.Spec.Volumes {
			if v.ConfigMap != nil &&
				!slices.ContainsFunc(c.ConfigMaps, func(m *corev1.ConfigMap) bool { return m.Name == v.ConfigMap.Name }) {
				t.Errorf("there is no ConfigMap %s", v.ConfigMap.Name)
			}
		}
		if !slices.ContainsFunc(c.Accounts,
			func(a *corev1.ServiceAccount) bool { return a.Name == d.Spec.Template.Spec.ServiceAccountName }) {
			t.Errorf("there is no ServiceAccount %s", d.Spec.Template.Spec.ServiceAccountName)
		}
	}
	for _, m := range c.Monitors {
		if !slices.ContainsFunc(c.Services, func(s *corev1.Service) bool {
			return labels.SelectorFromSet(m.Spec.Selector.MatchLabels).Matches(labels.Set(s.Labels)) &&
				s.Spec.Ports[0].Name == m.Spec.Endpoints[0].Port
		}) {
			t.Errorf("the ServiceMonitor finds no Service: %v", m.Spec)
		}
	}
}
