package traffic

import (
	"errors"
	"maps"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"

	"sluice.dev/sluice/config"
)

// Reader reads routes back from canary Ingresses, whatever class they are of.
type Reader struct{}

// readingOrder is the order in which classes are tried. Gateways of other classes
// read the annotations of ingress-nginx too, so that it comes first.
func readingOrder() []string {
	others := slices.DeleteFunc(slices.Sorted(maps.Keys(adapters)), func(class string) bool { return class == config.DefaultClass })
	return append([]string{config.DefaultClass}, others...)
}

// DecodeRoute returns the class of a canary Ingress, the weight of its route in
// percent, and whether the route sends any ordinary request to canary. The error
// says, for every class, why it is not a route of that class.
func (Reader) DecodeRoute(in *networkingv1.Ingress) (class string, weight int, carries bool, err error) {
	var problems []error
	for _, class := range readingOrder() {
		route, err := adapters[class].Decode(in)
		if err == nil {
			return class, route.Weight, route.Weight > 0 || len(route.Matches) > 0, nil
		}
		problems = append(problems, err)
	}
	return "", 0, false, errors.Join(problems...)
}
