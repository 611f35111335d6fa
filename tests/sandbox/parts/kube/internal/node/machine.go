package node

import (
	"context"
	"time"

	"github.com/google/cadvisor/lib/model"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/kubelet/cadvisor"
	"k8s.io/kubernetes/pkg/kubelet/cm"
)

// What the node claims to have. It is far more than the machine has, because
// requests of pods are a scheduling matter here and must not limit a test.
const (
	cores   = 64
	memory  = 256 << 30
	storage = 1 << 40
)

// machine stands in for cAdvisor, which would measure cgroups that are not there.
type machine struct {
	name string
}

var _ cadvisor.Interface = machine{}

func (machine) Start() error { return nil }

func (m machine) MachineInfo(klog.Logger) (*model.MachineInfo, error) {
	return &model.MachineInfo{
		NumCores: cores, NumPhysicalCores: cores, NumSockets: 1, MemoryCapacity: memory,
		MachineID: m.name, SystemUUID: m.name,
		// A new boot ID would announce a reboot of the node.
		BootID: m.name,
	}, nil
}

func (machine) VersionInfo() (*model.VersionInfo, error) {
	return &model.VersionInfo{KernelVersion: "sandbox", ContainerOsVersion: "Sluice sandbox"}, nil
}

func (machine) ContainerInfoV2(name string, _ model.RequestOptions) (map[string]model.ContainerInfo, error) {
	return map[string]model.ContainerInfo{name: {
		Spec:  model.ContainerSpec{CreationTime: time.Now()},
		Stats: []*model.ContainerStats{{Timestamp: time.Now()}},
	}}, nil
}

func (machine) GetRequestedContainersInfo(string, model.RequestOptions) (map[string]*model.ContainerInfo, error) {
	return map[string]*model.ContainerInfo{}, nil
}

func (machine) ImagesFsInfo(context.Context) (model.FsInfo, error)    { return disk(), nil }
func (machine) RootFsInfo() (model.FsInfo, error)                     { return disk(), nil }
func (machine) ContainerFsInfo(context.Context) (model.FsInfo, error) { return disk(), nil }
func (machine) GetDirFsInfo(string) (model.FsInfo, error)             { return disk(), nil }

func disk() model.FsInfo {
	return model.FsInfo{Timestamp: time.Now(), Mountpoint: "/", Capacity: storage, Available: storage}
}

// limits stands in for the manager of cgroups and devices, of which there are
// none, except that pods may ask for disk space.
type limits struct {
	cm.ContainerManager
}

// GetCapacity returns what the node has besides CPU and memory.
func (limits) GetCapacity(klog.Logger, bool) v1.ResourceList {
	return v1.ResourceList{v1.ResourceEphemeralStorage: *resource.NewQuantity(storage, resource.BinarySI)}
}
