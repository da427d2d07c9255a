#ifndef CED25519_H
#define CED25519_H

#include <stddef.h>
#include <stdint.h>

// Ed25519 (RFC 8032) by the BoringSSL that swift-nio-ssl brings along. A program that uses TLS has it already, so this adds
// nothing to its size. The functions are not part of an API of swift-nio-ssl: where they are renamed, linking fails.

/// Makes the key pair that belongs to a seed. The private key is the seed followed by the public key.
void ced25519_keypair(uint8_t public_key[32], uint8_t private_key[64], const uint8_t seed[32]);

/// Signs a message. Returns 1, or 0 where memory is short.
int ced25519_sign(uint8_t signature[64], const uint8_t *message, size_t length, const uint8_t private_key[64]);

/// Returns 1 where the signature is that of the message, 0 otherwise.
int ced25519_verify(const uint8_t *message, size_t length, const uint8_t signature[64], const uint8_t public_key[32]);

#endif
