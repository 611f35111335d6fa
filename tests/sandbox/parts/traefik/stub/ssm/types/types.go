// Package types describes what SSM answers.
package types

// InstanceInformation is a machine.
type InstanceInformation struct {
	InstanceId *string
	IPAddress  *string
}

// InstanceInformationStringFilter limits a listing.
type InstanceInformationStringFilter struct {
	Key    *string
	Values []string
}
