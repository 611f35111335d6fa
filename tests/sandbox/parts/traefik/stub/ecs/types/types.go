// Package types describes what ECS answers.
package types

type (
	// DesiredStatus is the state that a task should have.
	DesiredStatus string
	// HealthStatus is the health of a task.
	HealthStatus string
	// NetworkMode says how containers are reached.
	NetworkMode string
	// TransportProtocol is tcp or udp.
	TransportProtocol string
)

// The values that Traefik compares with.
const (
	DesiredStatusRunning  DesiredStatus     = "RUNNING"
	HealthStatusHealthy   HealthStatus      = "HEALTHY"
	HealthStatusUnhealthy HealthStatus      = "UNHEALTHY"
	NetworkModeAwsvpc     NetworkMode       = "awsvpc"
	TransportProtocolTcp  TransportProtocol = "tcp"
)

type (
	// PortMapping is a port of a container and of its host.
	PortMapping struct {
		ContainerPort, HostPort *int32
		Protocol                TransportProtocol
	}
	// NetworkBinding is a port that a container is bound to.
	NetworkBinding struct {
		ContainerPort, HostPort *int32
		Protocol                TransportProtocol
	}
	// NetworkInterface is an address of a container.
	NetworkInterface struct{ Ipv6Address, PrivateIpv4Address *string }
	// Attachment is a network interface of a task.
	Attachment struct{}
	// Container is a running container.
	Container struct {
		Name              *string
		NetworkBindings   []NetworkBinding
		NetworkInterfaces []NetworkInterface
	}
	// ContainerDefinition describes a container.
	ContainerDefinition struct {
		Name         *string
		DockerLabels map[string]string
		PortMappings []PortMapping
	}
	// ContainerInstance is a machine that runs containers.
	ContainerInstance struct{ ContainerInstanceArn, Ec2InstanceId *string }
	// Task is a running group of containers.
	Task struct {
		Attachments                                                         []Attachment
		ContainerInstanceArn, Group, LastStatus, TaskArn, TaskDefinitionArn *string
		Containers                                                          []Container
		HealthStatus                                                        HealthStatus
	}
	// TaskDefinition describes a task.
	TaskDefinition struct {
		ContainerDefinitions []ContainerDefinition
		NetworkMode          NetworkMode
	}
)
