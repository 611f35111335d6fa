// Package workercomponent would add workflows to the server's own worker.
package workercomponent

import "go.uber.org/fx"

// Module adds nothing.
var Module = fx.Options()
