package deploy_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// kustomized builds a directory of deploy/kubernetes as kubectl apply -k does, and decodes the result strictly.
func kustomized(t *testing.T, dir string) *cluster {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(),
		deployed("kubernetes", dir))
	must(t, err)
	text, err := built.AsYaml()
	must(t, err)
	c, err := decode(text)
	must(t, err)
	if len(c.Deployments) != 1 {
		t.Fatalf("%s has %d Deployments", dir, len(c.Deployments))
	}
	checkWiring(t, c)
	return c
}

func TestTheBaseIsWhatAClusterNeeds(t *testing.T) {
	t.Parallel()
	c := kustomized(t, "base")
	d := c.Deployments[0]
	container := graphproxyContainer(t, d)
	checkRestricted(t, d)
	checkProbes(t, container)
	checkStop(t, d, 10*time.Second)
	checkMemory(t, container)
	if len(c.Budgets) != 1 || len(c.Autoscalers) != 1 || len(c.NetworkPolicy) != 1 || len(c.Monitors) != 1 ||
		len(c.Services) != 2 || len(c.Namespaces) != 1 {
		t.Fatalf("the base has %+v", c)
	}
	checkEgress(t, c.NetworkPolicy[0], false)
	if c.Namespaces[0].Labels["pod-security.kubernetes.io/enforce"] != "restricted" {
		t.Errorf("the namespace has %v", c.Namespaces[0].Labels)
	}
	if d.Spec.Template.Labels["azure.workload.identity/use"] != "true" ||
		c.Accounts[0].Annotations["azure.workload.identity/client-id"] == "" {
		t.Error("the pods have no workload identity")
	}
	if s := d.Spec.Strategy.RollingUpdate; s == nil || s.MaxUnavailable.IntValue() != 0 {
		t.Errorf("a rolling update takes replicas away: %+v", s)
	}
	if m := c.ConfigMaps[0]; !strings.HasPrefix(m.Data["policy.yaml"], "# ") || m.Data["jwks.json"] == "" {
		t.Errorf("the ConfigMap has %v", m.Data)
	}
	for _, s := range c.Services {
		if len(s.Spec.Ports) != 1 ||
			(s.Spec.Ports[0].TargetPort.String() == "admin") != (s.Labels["graphproxy/admin"] == "true") {
			t.Errorf("Service %s has %+v", s.Name, s.Spec.Ports)
		}
	}
}

func TestTheOverlayRedisSharesLimitsAndOpensTheWay(t *testing.T) {
	t.Parallel()
	c := kustomized(t, "overlays/redis")
	container := graphproxyContainer(t, c.Deployments[0])
	checkRestricted(t, c.Deployments[0])
	checkProbes(t, container)
	checkStop(t, c.Deployments[0], 10*time.Second)
	checkMemory(t, container)
	checkEgress(t, c.NetworkPolicy[0], true)
	var fromSecret *corev1.SecretKeySelector
	for _, e := range container.Env {
		if e.Name == "GRAPHPROXY_REDIS_URL" && e.ValueFrom != nil {
			fromSecret = e.ValueFrom.SecretKeyRef
		}
	}
	if fromSecret == nil {
		t.Error("the address of Redis, which may have a password in it, is not from a Secret")
	}
	if variable(container, "GRAPHPROXY_REDIS_REPLICAS") != "2" {
		t.Errorf("GRAPHPROXY_REDIS_REPLICAS is %q", variable(container, "GRAPHPROXY_REDIS_REPLICAS"))
	}
}

func TestTheOverlaySidecarServesOneAppOverASocket(t *testing.T) {
	t.Parallel()
	c := kustomized(t, "overlays/sidecar")
	d := c.Deployments[0]
	container := graphproxyContainer(t, d)
	checkRestricted(t, d)
	checkProbes(t, container)
	checkStop(t, d, 0)
	checkMemory(t, container)
	if container.RestartPolicy == nil || *container.RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Error("graphproxy is no sidecar: it must be an init container that restarts")
	}
	path, ok := strings.CutPrefix(variable(container, "GRAPHPROXY_LISTEN"), "unix:")
	if !ok {
		t.Fatalf("GRAPHPROXY_LISTEN is %q", variable(container, "GRAPHPROXY_LISTEN"))
	}
	app := d.Spec.Template.Spec.Containers[0]
	for _, one := range []corev1.Container{*container, app} {
		mounted := false
		for _, m := range one.VolumeMounts {
			mounted = mounted || m.Name == "socket" && strings.HasPrefix(path, m.MountPath+"/")
		}
		if !mounted {
			t.Errorf("%s does not see %s", one.Name, path)
		}
	}
	if *app.SecurityContext.RunAsUser == *container.SecurityContext.RunAsUser ||
		*app.SecurityContext.RunAsGroup != *container.SecurityContext.RunAsGroup {
		t.Error("the app must be another user than graphproxy, of the group that the socket is open to")
	}
	if got := d.Spec.Template.Annotations["azure.workload.identity/skip-containers"]; got != app.Name {
		t.Errorf("the federated token is kept from %q, not from %s", got, app.Name)
	}
	if !strings.Contains(c.ConfigMaps[0].Data["policy.yaml"], "unix: {uid: 1000}") ||
		*app.SecurityContext.RunAsUser != 1000 {
		t.Error("the policy does not know the app by the user that it runs as")
	}
}
