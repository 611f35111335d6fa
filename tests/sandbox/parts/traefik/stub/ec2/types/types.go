// Package types describes what EC2 answers.
package types

// InstanceStateName is the state of an instance.
type InstanceStateName string

// InstanceStateNameRunning is the state in which an instance is used.
const InstanceStateNameRunning InstanceStateName = "running"

// InstanceState is the state of an instance.
type InstanceState struct{ Name InstanceStateName }

// Instance is a machine.
type Instance struct {
	InstanceId       *string
	PrivateIpAddress *string
	State            *InstanceState
}

// Reservation is a group of instances.
type Reservation struct{ Instances []Instance }
