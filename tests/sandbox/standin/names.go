package standin

import "fmt"

// nginx names requests as the socket collector of ingress-nginx 1.12 does: both
// sides have the Ingress and the Service of stable, and canary is the upstream
// that was chosen instead, empty for stable. The Ingress leads to a second Service
// with as many requests as stable has, all of them bad.
func (a App) nginx(all []series, replica int) *page {
	p := newPage()
	for _, s := range all {
		upstream := ""
		if s.canary {
			upstream = fmt.Sprintf("%s-%s-canary-%s", a.Namespace, a.Service, s.port)
		}
		add := func(service, path, status string) {
			set := labels("canary", upstream, "controller_class", "k8s.io/ingress-nginx", "controller_namespace", "ingress-nginx",
				"controller_pod", fmt.Sprintf("ingress-nginx-controller-%d", replica), "ingress", a.Ingress, "method", s.method,
				"namespace", a.Namespace, "path", path, "service", service, "status", status)
			p.add("nginx_ingress_controller_requests", "counter", "", set, s.requests)
			p.histogram("nginx_ingress_controller_request_duration_seconds", set, s.took, 1)
		}
		add(a.Service, "/version", s.status)
		if !s.canary {
			add(a.Service+"-other", "/other", "500")
		}
	}
	return p
}

// envoy names them as Envoy does: with the tags of Istio's bootstrap, where one
// name has a family by code and one by class of codes (istio/istio#39903), or
// with its own. Times are in milliseconds and have no code.
func (a App) envoy(all []series, own bool) *page {
	p := newPage()
	for _, s := range all {
		service := a.Service
		if s.canary {
			service += "-canary"
		}
		cluster := fmt.Sprintf("outbound|80||%s.%s.svc.cluster.local", service, a.Namespace)
		const rq, took, times = "envoy_cluster_upstream_rq", "envoy_cluster_upstream_rq_time", 1000
		if own {
			name := labels("envoy_cluster_name", cluster)
			p.add(rq, "counter", "", labels("envoy_response_code", s.status)+","+name, s.requests)
			p.add(rq+"_xx", "counter", "", labels("envoy_response_code_class", s.status[:1])+","+name, s.requests)
			p.histogram(took, name, s.took, times)
			continue
		}
		name := labels("cluster_name", cluster)
		p.add(rq, "counter", "", labels("response_code", s.status)+","+name, s.requests)
		p.add(rq, "counter", "", labels("response_code_class", s.status[:1]+"xx")+","+name, s.requests)
		p.histogram(took, name, s.took, times)
	}
	return p
}
