package policycmd

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"graphproxy/policy/graph/service"
	"graphproxy/policy/yamlfile"
)

func newLimits() *cobra.Command {
	var name, size string
	cmd := &cobra.Command{
		Use:   "limits",
		Short: "Print the limits that Microsoft publishes for Graph, as limits of a policy",
		Long: "limits prints, as YAML to paste and adapt, the limits that Microsoft publishes for Graph's services, each " +
			"with its source and " +
			"with what\nof it a policy cannot express.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			presets, err := service.Presets(service.Size(strings.ToUpper(size)))
			if err != nil {
				return fmt.Errorf("--tenant-size: %w", err)
			}
			if presets, err = presetOf(presets, name); err != nil {
				return err
			}
			return write(cmd, presets, func(w io.Writer) error {
				_, err := io.WriteString(w, service.Text(presets))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&name, "service", "", "only those of one service, by its `NAME`, such as outlook")
	cmd.Flags().StringVar(&size, "tenant-size", "S",
		"the `SIZE` of the tenant: S has fewer than 50 users, M 50 to 500, L more")
	return cmd
}

// presetOf returns the one preset of this name, or all if there is no name.
func presetOf(presets []service.Preset, name string) ([]service.Preset, error) {
	if name == "" {
		return presets, nil
	}
	var names []string
	for _, p := range presets {
		names = append(names, p.Name)
	}
	i := slices.Index(names, strings.ToLower(name))
	if i < 0 {
		problem := yamlfile.Unknown("service", name, names)
		if yamlfile.Nearest(name, names) == "" {
			problem += "; there are " + strings.Join(names, ", ")
		}
		return nil, fmt.Errorf("--service: %s", problem)
	}
	return presets[i : i+1], nil
}
