package deploy_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"sigs.k8s.io/yaml"
)

// composed loads the compose file with Compose's own loader, which refuses unknown keys. It creates the operator's
// files first.
func composed(t *testing.T) (*types.Project, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "deploy")
	must(t, os.MkdirAll(dir, 0o755))
	for name, text := range map[string]string{
		"compose.yaml":   read(t, "compose.yaml"),
		"graphproxy.env": "AZURE_TENANT_ID=contoso.onmicrosoft.com\n",
	} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	file := filepath.Join(dir, "compose.yaml")
	project, err := loader.LoadWithContext(context.Background(), types.ConfigDetails{
		WorkingDir:  dir,
		ConfigFiles: []types.ConfigFile{{Filename: file}},
	}, func(o *loader.Options) { o.SetProjectName("graphproxy", true) })
	must(t, err)
	return project, dir
}

func TestTheComposeFileRunsFourServicesWithoutRights(t *testing.T) {
	t.Parallel()
	project, dir := composed(t)
	if len(project.Services) != 4 {
		t.Errorf("services: %v", project.ServiceNames())
	}
	for _, s := range project.Services {
		if s.Image == "" && s.Build == nil || strings.HasSuffix(s.Image, ":latest") ||
			s.Image != "" && !strings.Contains(s.Image, ":") {
			t.Errorf("the image of %s is %q, which is no version", s.Name, s.Image)
		}
		if len(s.CapDrop) != 1 || s.CapDrop[0] != "ALL" || len(s.SecurityOpt) != 1 ||
			s.SecurityOpt[0] != "no-new-privileges:true" || s.Privileged {
			t.Errorf("%s has rights that it does not need", s.Name)
		}
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s is open to other machines at port %s", s.Name, p.Published)
			}
		}
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			own, err := filepath.Rel(dir, v.Source)
			must(t, err)
			_, err = os.Stat(deployed(own))
			if err != nil && own != "policy.yaml" && own != "grafana/graphproxy.json" {
				t.Errorf("%s mounts deploy/%s: %v", s.Name, own, err)
			}
			if !v.ReadOnly {
				t.Errorf("%s can write to deploy/%s", s.Name, own)
			}
		}
	}
}

func TestTheComposeFileWiresGraphproxy(t *testing.T) {
	t.Parallel()
	project, _ := composed(t)
	s := project.Services["graphproxy"]
	if !s.ReadOnly || s.Build == nil {
		t.Errorf("graphproxy: read only %t, build %v", s.ReadOnly, s.Build)
	}
	if url := s.Environment["GRAPHPROXY_REDIS_URL"]; url == nil || *url != "redis://redis:6379/0" {
		t.Errorf("GRAPHPROXY_REDIS_URL is %v", url)
	}
	if _, ok := s.DependsOn["redis"]; !ok || len(s.Secrets) != 1 || project.Secrets[s.Secrets[0].Source].File == "" {
		t.Errorf("graphproxy depends on %v, with the secrets %v", s.DependsOn, s.Secrets)
	}
	for _, v := range s.Volumes {
		if v.Target == "/etc/graphproxy/policy.yaml" && (v.Bind == nil || v.Bind.CreateHostPath) {
			t.Error("a policy that is not there would be made, as a directory")
		}
	}
	var scrape struct {
		ScrapeConfigs []struct {
			StaticConfigs []struct {
				Targets []string `json:"targets"`
			} `json:"static_configs"`
		} `json:"scrape_configs"`
	}
	must(t, yaml.Unmarshal([]byte(read(t, "prometheus", "prometheus.yaml")), &scrape))
	if got := scrape.ScrapeConfigs[0].StaticConfigs[0].Targets[0]; got != "graphproxy:8081" ||
		*s.Environment["GRAPHPROXY_HOSTS"] != "graphproxy" {
		t.Errorf("Prometheus scrapes %s, and graphproxy knows itself as %s", got, *s.Environment["GRAPHPROXY_HOSTS"])
	}
}

func TestGrafanaFindsItsDashboardAndItsSource(t *testing.T) {
	t.Parallel()
	var sources struct {
		APIVersion  int `json:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, Access, URL string
			IsDefault                    bool `json:"isDefault"`
		} `json:"datasources"`
	}
	must(t, yaml.UnmarshalStrict([]byte(read(t, "grafana", "provisioning", "datasources", "prometheus.yaml")), &sources))
	if len(sources.Datasources) != 1 || sources.Datasources[0].URL != "http://prometheus:9090" ||
		!sources.Datasources[0].IsDefault || sources.Datasources[0].UID == "" {
		t.Errorf("%+v", sources)
	}
	var providers struct {
		APIVersion int `json:"apiVersion"`
		Providers  []struct {
			Name, Type string
			Options    struct {
				Path string `json:"path"`
			} `json:"options"`
		} `json:"providers"`
	}
	must(t, yaml.UnmarshalStrict([]byte(read(t, "grafana", "provisioning", "dashboards", "graphproxy.yaml")), &providers))
	project, _ := composed(t)
	found := false
	for _, v := range project.Services["grafana"].Volumes {
		found = found ||
			filepath.Dir(v.Target) == providers.Providers[0].Options.Path && filepath.Base(v.Source) == "graphproxy.json"
	}
	if !found {
		t.Errorf("the dashboard is not mounted into %s", providers.Providers[0].Options.Path)
	}
}
