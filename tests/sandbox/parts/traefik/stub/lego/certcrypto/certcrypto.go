// Package certcrypto names the kinds of keys that an ACME account may ask for.
package certcrypto

// KeyType names a key algorithm together with its size.
type KeyType string

// The kinds of keys that Traefik's configuration can name.
const (
	EC256   KeyType = "P256"
	EC384   KeyType = "P384"
	RSA2048 KeyType = "2048"
	RSA4096 KeyType = "4096"
	RSA8192 KeyType = "8192"
)
