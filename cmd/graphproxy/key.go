package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// newKeyBytes is the length of a SHA-256 hash, so that guessing the key is not easier than finding another key with
// the same hash.
const newKeyBytes = 32

func newKey() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Make a key for a caller, and what the policy says of it",
		Long: "key makes a random key of 256 bits, prints it once, and below it the line for the caller's identity in " +
			"the policy file, which\nholds its SHA-256 only. Give the key to the caller; nothing keeps it. Status 0.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key := makeKey()
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(key)
			}
			return key.write(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON: the key, and its sha256 for the policy")
	return cmd
}

// madeKey is the result of the command key, as JSON.
type madeKey struct {
	Key    string `json:"key"`    // 43 letters, digits, - and _
	SHA256 string `json:"sha256"` // of the key as it is sent
}

func makeKey() madeKey {
	var random [newKeyBytes]byte
	_, _ = rand.Read(random[:]) // it never fails: it would end the process
	key := base64.RawURLEncoding.EncodeToString(random[:])
	sum := sha256.Sum256([]byte(key))
	return madeKey{key, hex.EncodeToString(sum[:])}
}

// write writes the key alone on the first line, for head -1.
func (k madeKey) write(w io.Writer) error {
	_, err := fmt.Fprintf(w, `%s

The caller sends it as "Authorization: Bearer KEY" or as X-Api-Key. It is shown this once.
In the policy file, under the caller's identity:

      - key: {sha256: %s}
`, k.Key, k.SHA256)
	return err
}
