"""Amazon S3's protocol over the objects of this machine."""
