"""S3's operations, by what they are about."""
