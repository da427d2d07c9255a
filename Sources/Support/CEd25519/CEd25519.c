#include "CEd25519.h"

// Declared here, because swift-nio-ssl offers its copy of BoringSSL's headers to its own modules only.
void CNIOBoringSSL_ED25519_keypair_from_seed(uint8_t public_key[32], uint8_t private_key[64], const uint8_t seed[32]);
int CNIOBoringSSL_ED25519_sign(uint8_t signature[64], const uint8_t *message, size_t length,
                               const uint8_t private_key[64]);
int CNIOBoringSSL_ED25519_verify(const uint8_t *message, size_t length, const uint8_t signature[64],
                                 const uint8_t public_key[32]);

void ced25519_keypair(uint8_t public_key[32], uint8_t private_key[64], const uint8_t seed[32]) {
    CNIOBoringSSL_ED25519_keypair_from_seed(public_key, private_key, seed);
}

int ced25519_sign(uint8_t signature[64], const uint8_t *message, size_t length, const uint8_t private_key[64]) {
    return CNIOBoringSSL_ED25519_sign(signature, message, length, private_key);
}

int ced25519_verify(const uint8_t *message, size_t length, const uint8_t signature[64], const uint8_t public_key[32]) {
    return CNIOBoringSSL_ED25519_verify(message, length, signature, public_key);
}
