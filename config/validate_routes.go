package config

import (
	"fmt"
	"strings"

	k8svalidation "k8s.io/apimachinery/pkg/util/validation"

	own "sluice.dev/sluice/config/v1alpha1"
)

func validateRoutes(r *report, d *draft, routes []own.TrafficRouting) {
	switch {
	case len(routes) == 0:
		r.add(routesPath, "TrafficRoutings are not set: releasing without a route is not supported yet", "name the Service and the Ingress in front of it")
	case len(routes) > 1:
		r.add(routesPath, "Rollout currently only support single TrafficRouting", "keep one of them")
	}
	for i, route := range routes {
		validateRoute(r, d, indexPath(routesPath, i), i, route)
	}
}

func validateRoute(r *report, d *draft, path string, index int, route own.TrafficRouting) {
	if route.Service == "" {
		r.add(path+".service", "TrafficRouting.Service cannot be empty", "name the Service that selects the pods of the workload")
	} else {
		validateName(r, path+".service", route.Service, k8svalidation.IsDNS1123Label)
	}
	if *route.GracePeriodSeconds < 0 {
		r.add(path+".gracePeriodSeconds", "TrafficRouting.GracePeriodSeconds cannot be negative", "write 0 or more seconds")
	}
	if *route.ConfirmTimeout <= 0 {
		r.add(path+".confirmTimeout", "the time to confirm must be longer than no time", "write a length of time such as 60s")
	}
	if route.Ingress == nil && route.Gateway == nil && len(route.CustomNetworkRefs) == 0 {
		r.add(path+".ingress", "TrafficRoutings are not set", "name the Ingress in front of the Service")
	}
	validateConfirm(r, d, path, route)
	validateUnsupportedRoutes(r, path, route)
	if route.Ingress != nil {
		validateIngress(r, d, path, index, route)
	}
}

func validateUnsupportedRoutes(r *report, path string, route own.TrafficRouting) {
	if route.Gateway != nil {
		problem := "routes of the Gateway API are not supported yet"
		if route.Gateway.HTTPRouteName == nil || *route.Gateway.HTTPRouteName == "" {
			problem = "TrafficRouting.Gateway must set the name of HTTPRoute or HTTPsRoute; " + problem
		}
		r.add(path+".gateway", problem, "name an Ingress")
	}
	if len(route.CustomNetworkRefs) > 0 {
		r.add(path+".customNetworkRefs", "custom routes are not supported yet", "name an Ingress")
	}
	if len(route.AdditionalParams) > 0 {
		r.add(path+".additionalParams", "parameters of custom routes are not supported yet", "leave them out")
	}
}

func validateIngress(r *report, d *draft, path string, index int, route own.TrafficRouting) {
	if route.Ingress.Name == "" {
		r.add(path+".ingress.name", "TrafficRouting.Ingress.Ingress cannot be empty", "name the Ingress in front of the Service")
	} else {
		validateName(r, path+".ingress.name", route.Ingress.Name, k8svalidation.IsDNS1123Subdomain)
	}
	class := route.Ingress.ClassType
	at := path + ".ingress.classType"
	if !r.has(at) && r.has(path+".type") {
		at = path + ".type"
	}
	if index < len(d.legacy.routeTypes) && d.legacy.routeTypes[index] != "" && d.legacy.routeTypes[index] != class {
		r.add(path+".type", fmt.Sprintf("type and ingress.classType %q contradict each other", class), "leave type out")
	}
	switch capability, known := CapabilityOf(class); {
	case !known:
		remedy := "known classes: " + strings.Join(Classes(), ", ")
		if near := Nearest(class, Classes()); near != "" {
			remedy = fmt.Sprintf("did you mean %q?", near)
		}
		r.add(at, "unknown class of Ingress", remedy)
	case !capability.Supported:
		r.add(at, fmt.Sprintf("Ingresses of class %s are not supported yet", class), "write nginx where the gateway understands its annotations")
	}
}
