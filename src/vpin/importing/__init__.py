"""`vpin import-blynk`: takes over the data folder of a Blynk server 0.41 (spec 06, 7; spec 03, 17).

:mod:`.folder` finds the files, :mod:`.profiles` makes accounts of them by the rules of the state service, :mod:`.history` reads
averages, :mod:`.taking` puts all of it into the store, :mod:`.report` tells. The folder is read and never written.
"""
