package meter

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Machine is what a benchmark ran on, and how busy that was.
type Machine struct {
	CPUs int `json:"cpus"`
	// Memory in GiB.
	Memory int `json:"memoryGiB"`
	// Load averages over 1, 5 and 15 minutes.
	Load [3]float64 `json:"load"`
	// Pressure is the share of the last minute, in percent, in which something
	// that could run had to wait for a processor; negative if not known.
	Pressure float64 `json:"cpuPressure"`
}

// Look describes this machine now.
func Look() (Machine, error) {
	m := Machine{CPUs: runtime.NumCPU(), Pressure: pressure()}
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return m, fmt.Errorf("reading the load: %w", err)
	}
	if _, err := fmt.Sscan(string(text), &m.Load[0], &m.Load[1], &m.Load[2]); err != nil {
		return m, fmt.Errorf("reading the load: %w", err)
	}
	text, err = os.ReadFile("/proc/meminfo")
	if err != nil {
		return m, fmt.Errorf("reading the size of the memory: %w", err)
	}
	_, rest, _ := strings.Cut(string(text), "MemTotal:")
	line, _, _ := strings.Cut(rest, "\n")
	const halfGiB = 1 << 29
	m.Memory = int((kibibytes(line) + halfGiB) >> 30)
	return m, nil
}

// pressure reads the kernel's own measure of waiting, which not all have.
func pressure() float64 {
	text, err := os.ReadFile("/proc/pressure/cpu")
	if err != nil {
		return -1
	}
	_, rest, _ := strings.Cut(string(text), "avg60=")
	number, _, _ := strings.Cut(rest, " ")
	value, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return -1
	}
	return value
}

// String tells the machine in one line.
func (m Machine) String() string {
	text := fmt.Sprintf("%d processors, %d GiB, load %.1f %.1f %.1f", m.CPUs, m.Memory, m.Load[0], m.Load[1], m.Load[2])
	if m.Pressure >= 0 {
		text += fmt.Sprintf(", something waited for a processor in %.0f %% of the last minute", m.Pressure)
	}
	return text
}
