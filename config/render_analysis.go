package config

import own "sluice.dev/sluice/config/v1alpha1"

// renderAnalysis is the inverse of reading an analysis; templates are written
// out, except for those in ConfigMaps.
func renderAnalysis(a *Analysis) *own.Analysis {
	if a == nil {
		return nil
	}
	rendered := &own.Analysis{Metrics: convertAll(a.Metrics, renderMetric)}
	for _, p := range a.Pending {
		rendered.Metrics = append(rendered.Metrics, p.Said)
	}
	if a.StartingStep > 0 {
		rendered.StartingStep = new(int64(a.StartingStep))
	}
	return rendered
}

func renderMetric(m Metric) own.Metric {
	rendered := own.Metric{
		Name: m.Name, Server: m.Server, Args: m.Args,
		Query: m.Query, Requests: m.Requests, Bad: m.Bad, Good: m.Good,
		Interval: new(own.Period(m.Interval)), Window: new(own.Period(m.Window)), InitialDelay: new(own.Period(m.InitialDelay)),
		Count: new(int64(m.Count)),
		Min:   m.Min, Max: m.Max,
		MinRatio: m.Compare.MinRatio, MaxRatio: m.Compare.MaxRatio, MinDelta: m.Compare.MinDelta, MaxDelta: m.Compare.MaxDelta,
		Condition: m.Condition, MinRequests: new(int64(m.MinRequests)),
		Limits: &own.Limits{
			ConsecutiveFailures: new(int64(m.Limits.ConsecutiveFailures)), Failures: new(int64(m.Limits.Failures)),
			ConsecutiveErrors: new(int64(m.Limits.ConsecutiveErrors)), Errors: new(int64(m.Limits.Errors)),
			ConsecutiveNoData: new(int64(m.Limits.ConsecutiveNoData)), NoData: new(int64(m.Limits.NoData)),
		},
		OnPass: string(m.OnPass), OnFail: string(m.OnFail), OnNoData: string(m.OnNoData), OnError: string(m.OnError),
		DryRun: new(m.DryRun),
	}
	if t := m.Test; t != nil {
		rendered.Test = &own.Test{
			FalseAlarm: new(t.FalseAlarm), Bound: t.Bound,
			Tolerance: &own.Worse{Ratio: new(t.Tolerance.Ratio), Delta: new(t.Tolerance.Delta)},
			Margin:    &own.Worse{Ratio: new(t.Margin.Ratio), Delta: new(t.Margin.Delta)},
		}
	}
	return rendered
}

func renderServer(s Prometheus) own.Prometheus {
	rendered := own.Prometheus{
		Name: s.Name, Address: s.Address, Headers: s.Headers,
		Timeout: new(own.Period(s.Timeout)), MaxBytes: new(s.MaxBytes), BearerToken: renderCredential(s.Bearer),
	}
	if s.Username != "" {
		rendered.BasicAuth = &own.BasicAuth{Username: s.Username, Password: renderCredential(s.Password)}
	}
	if t := s.TLS; t != nil {
		rendered.TLS = &own.TLS{
			CA: renderCredential(t.CA), Cert: renderCredential(t.Cert), PrivateKey: renderCredential(t.PrivateKey),
			ServerName: t.ServerName, InsecureSkipVerify: t.Insecure,
		}
	}
	return rendered
}

func renderCredential(c *Credential) *own.Credential {
	if c == nil {
		return nil
	}
	return new(own.Credential(*c))
}
