package config

import (
	"maps"
	"slices"
)

// templatesOf reads the templates under all keys of a ConfigMap, in the order of
// the keys.
func templatesOf(data map[string]string) (templates, []string, error) {
	all := templates{}
	var order []string
	for _, key := range slices.Sorted(maps.Keys(data)) {
		found, names, err := parseTemplates([]byte(data[key]))
		if err != nil {
			return nil, nil, err
		}
		maps.Copy(all, found)
		order = append(order, names...)
	}
	return all, order, nil
}

func serverNames(servers []Prometheus) []string {
	names := make([]string, len(servers))
	for i, s := range servers {
		names[i] = s.Name
	}
	return names
}
