// Package runtime is a container runtime for the kubelet in which a container
// is a process of this machine, listening on the pod's own address. There are
// no images to unpack, no file systems to mount and no namespaces to enter; the
// life of a container (start, signals, exit codes, restarts, logs) is the real
// one, so that everything the kubelet does with it is real too.
package runtime
