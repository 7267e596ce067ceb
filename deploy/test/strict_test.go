// Package deploy_test compares the files in deploy/ with the types that will read them: the Kubernetes API's,
// Helm's and Compose's. It is a module of its own, so that graphproxy does not depend on its dependencies.
package deploy_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// serviceMonitor is the part of the Prometheus operator's ServiceMonitor that is used here
// (https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.ServiceMonitor).
type serviceMonitor struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Selector  metav1.LabelSelector `json:"selector"`
		Endpoints []struct {
			Port     string `json:"port"`
			Interval string `json:"interval"`
		} `json:"endpoints"`
	} `json:"spec"`
}

// cluster is the objects of a set of manifests, by kind.
type cluster struct {
	Deployments   []*appsv1.Deployment
	Services      []*corev1.Service
	ConfigMaps    []*corev1.ConfigMap
	Accounts      []*corev1.ServiceAccount
	Namespaces    []*corev1.Namespace
	Budgets       []*policyv1.PodDisruptionBudget
	Autoscalers   []*autoscalingv2.HorizontalPodAutoscaler
	NetworkPolicy []*networkingv1.NetworkPolicy
	Monitors      []*serviceMonitor
}

// decode reads YAML documents with the types of the Kubernetes API. Unknown and doubled fields, and kinds that are not
// listed here, are errors.
func decode(manifests []byte) (*cluster, error) {
	c := new(cluster)
	var problems []error
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifests)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return c, errors.Join(problems...)
		}
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(document)) > 0 {
			problems = append(problems, c.add(document))
		}
	}
}

func (c *cluster) add(document []byte) error {
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(document, &kind); err != nil {
		return err
	}
	if kind.Kind == "" {
		return nil // comments alone
	}
	if kind.Kind == "ServiceMonitor" {
		m := new(serviceMonitor)
		c.Monitors = append(c.Monitors, m)
		return about(kind, yaml.UnmarshalStrict(document, m))
	}
	codecs := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict)
	object, _, err := codecs.UniversalDeserializer().Decode(document, nil, nil)
	if err != nil {
		return about(kind, err)
	}
	return about(kind, c.sort(object))
}

func about(kind metav1.TypeMeta, err error) error {
	if err != nil {
		return fmt.Errorf("%s %s: %w", kind.APIVersion, kind.Kind, err)
	}
	return nil
}

func (c *cluster) sort(object runtime.Object) error {
	switch o := object.(type) {
	case *appsv1.Deployment:
		c.Deployments = append(c.Deployments, o)
	case *corev1.Service:
		c.Services = append(c.Services, o)
	case *corev1.ConfigMap:
		c.ConfigMaps = append(c.ConfigMaps, o)
	case *corev1.ServiceAccount:
		c.Accounts = append(c.Accounts, o)
	case *corev1.Namespace:
		c.Namespaces = append(c.Namespaces, o)
	case *policyv1.PodDisruptionBudget:
		c.Budgets = append(c.Budgets, o)
	case *autoscalingv2.HorizontalPodAutoscaler:
		c.Autoscalers = append(c.Autoscalers, o)
	case *networkingv1.NetworkPolicy:
		c.NetworkPolicy = append(c.NetworkPolicy, o)
	default:
		return errors.New("no check knows this kind")
	}
	return nil
}

// deployed returns the path of a file of deploy/.
func deployed(name ...string) string { return filepath.Join(append([]string{".."}, name...)...) }

func read(t *testing.T, name ...string) string {
	t.Helper()
	text, err := os.ReadFile(deployed(name...))
	must(t, err)
	return string(text)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The checks below prove nothing if the decoder is lenient.
func TestTheDecoderRefusesWhatKubernetesWouldIgnore(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, want string }{
		{"an unknown field", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {selectr: {}}\n", "selectr"},
		{"a doubled field", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {type: ClusterIP, type: NodePort}\n",
			"type"},
		{"an unknown version", "apiVersion: apps/v9\nkind: Deployment\nmetadata: {name: a}\n", "apps/v9"},
		{"a kind that no check knows", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n", "no check knows"},
		{"a number that must be text", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: 1}\n", "string"},
		{"an unknown field of a ServiceMonitor",
			"apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {name: a}\nspec: {endpoint: []}\n",
			"endpoint"},
	} {
		if _, err := decode([]byte(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want one with %q", test.name, err, test.want)
		}
	}
}
