package traffic

import (
	"errors"
	"maps"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
)

// Reader reads routes back from canary Ingresses, whatever class they are of.
type Reader struct{}

// DecodeRoute returns the class of a canary Ingress, the weight of its route in
// percent, and whether the route sends any ordinary request to canary. The error
// says, for every class, why it is not a route of that class.
func (Reader) DecodeRoute(in *networkingv1.Ingress) (class string, weight int, carries bool, err error) {
	var problems []error
	for _, class := range slices.Sorted(maps.Keys(adapters)) {
		route, err := adapters[class].Decode(in)
		if err == nil {
			return class, route.Weight, route.Weight > 0 || len(route.Matches) > 0, nil
		}
		problems = append(problems, err)
	}
	return "", 0, false, errors.Join(problems...)
}
