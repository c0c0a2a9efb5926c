"""Lists of pictures, and record files by lists: MXNet's im2rec, with the same options and the same results.

    python -m processing_scripts.jobs.im2rec --list --recursive birds pictures/   writes birds.lst
    python -m processing_scripts.jobs.im2rec --resize 256 birds pictures/         writes birds.rec, birds.idx

Records stand in the order of the list, however many processes work. A picture that cannot be used is named
and ends the job, unless --max-unreadable-share allows to leave it out. A run that was stopped is taken up by
the same command. On several instances each packs its share, birds-00001-of-00002.rec and so on, which
processing_scripts.jobs.join_records puts together. docs/im2rec.md has the rest.
"""

import sys
from collections.abc import Sequence

from processing_scripts import contract
from processing_scripts.contract import JobError
from processing_scripts.im2rec.lists import find_lists, make_lists
from processing_scripts.im2rec.options import Options, parse
from processing_scripts.im2rec.packing import pack_list
from processing_scripts.outputs import write_json
from processing_scripts.progress import tell

_INTERRUPTED = 130


def im2rec(options: Options) -> None:
    """Do what is asked for.

    Raises:
        JobError: there is nothing to do it with, or too many pictures cannot be used.
    """
    if not options.root.is_dir():
        raise JobError(f"{options.root}: not a folder; give the folder of the pictures as second argument")
    host = contract.processing_host()
    if not options.makes_lists:
        timings = {
            list_file.name: pack_list(list_file, options, host).document()
            for list_file in find_lists(options.prefix)
        }
        if options.timings is not None:
            write_json(options.timings, timings)
    elif host.is_first:  # one list for all instances
        make_lists(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit code."""
    try:
        return contract.run_processing(lambda: im2rec(parse(arguments, __doc__)))
    except KeyboardInterrupt:
        tell("stopped; the same command goes on from here")
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
