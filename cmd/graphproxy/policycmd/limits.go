package policycmd

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"graphproxy/policy/published"
	"graphproxy/policy/yamlfile"
)

func newLimits() *cobra.Command {
	var name, size string
	cmd := &cobra.Command{
		Use:   "limits",
		Short: "Print the limits that Microsoft publishes for Graph, as limits of a policy",
		Long:  "limits prints, as YAML to paste and adapt, the limits that Microsoft publishes for Graph's services, each with its source and with what\nof it a policy cannot express.",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			services, err := published.Services(published.Size(strings.ToUpper(size)))
			if err != nil {
				return fmt.Errorf("--tenant-size: %w", err)
			}
			if services, err = serviceOf(services, name); err != nil {
				return err
			}
			return print(cmd, services, func(w io.Writer) error {
				_, err := io.WriteString(w, published.Text(services))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&name, "service", "", "only those of one service, by its `NAME`, such as outlook")
	cmd.Flags().StringVar(&size, "tenant-size", "S", "the `SIZE` of the tenant: S has fewer than 50 users, M 50 to 500, L more")
	return cmd
}

// serviceOf returns the one service of this name, or all if there is no name.
func serviceOf(services []published.Service, name string) ([]published.Service, error) {
	if name == "" {
		return services, nil
	}
	var names []string
	for _, s := range services {
		names = append(names, s.Name)
	}
	i := slices.Index(names, strings.ToLower(name))
	if i < 0 {
		told := yamlfile.Unknown("service", name, names)
		if yamlfile.Nearest(name, names) == "" {
			told += "; there are " + strings.Join(names, ", ")
		}
		return nil, fmt.Errorf("--service: %s", told)
	}
	return services[i : i+1], nil
}
